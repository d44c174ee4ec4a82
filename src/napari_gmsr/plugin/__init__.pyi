from .colors_widget import ColorsWidget as ColorsWidget
from .error_maps_widget import ErrorMapsWidget as ErrorMapsWidget
from .layers import add_cube as add_cube
from .layers import cube_from_layer as cube_from_layer
from .reconstruct_widget import ReconstructWidget as ReconstructWidget
from .similarity_widget import SimilarityWidget as SimilarityWidget
from .spectra_widget import SpectraWidget as SpectraWidget
from .train_widget import TrainWidget as TrainWidget
