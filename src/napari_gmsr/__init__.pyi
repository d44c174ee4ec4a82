from . import networks as networks
from .color import render_rgb as render_rgb
from .cube import WAVELENGTHS_NM as WAVELENGTHS_NM
from .cube import SpectralCube as SpectralCube
from .evaluate import Evaluation as Evaluation
from .evaluate import error_map as error_map
from .evaluate import evaluate as evaluate
from .image import RGBImage as RGBImage
from .io import read_cube as read_cube
from .io import read_rgb as read_rgb
from .reconstruct import reconstruct as reconstruct
from .training import TrainingConfig as TrainingConfig
from .training import TrainingRun as TrainingRun
from .training import train as train
from .weights import list_models as list_models
from .weights import load_model as load_model

__version__: str
