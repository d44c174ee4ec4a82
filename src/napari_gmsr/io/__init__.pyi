from .atomic import atomic_output as atomic_output
from .atomic import atomic_outputs as atomic_outputs
from .cubes import check_output as check_output
from .cubes import read_cube as read_cube
from .cubes import write_cube as write_cube
from .pictures import read_rgb as read_rgb
from .pictures import write_rgb as write_rgb
from .suffixes import supported_suffixes as supported_suffixes
