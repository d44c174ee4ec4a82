from .generator import Recipe as Recipe
from .generator import SceneGenerator as SceneGenerator
from .patches import PatchSource as PatchSource
from .simulated import sample_scene as sample_scene
from .simulated import simulate_scene as simulate_scene
from .spectra import ReflectanceSet as ReflectanceSet
from .spectra import color_checker as color_checker
from .spectra import measured_reflectances as measured_reflectances
