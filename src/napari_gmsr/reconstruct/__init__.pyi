from .api import reconstruct as reconstruct
from .devices import choose_device as choose_device
from .files import reconstruct_file as reconstruct_file
from .planning import MODES as MODES
from .planning import Plan as Plan
from .planning import plan as plan
from .progress import Progress as Progress
