from .engines import EngineStatus as EngineStatus
from .engines import choose_engine as choose_engine
from .engines import list_engines as list_engines
from .engines import selective_scan_2d as selective_scan_2d
from .parameters import STATE_SIZE as STATE_SIZE
from .parameters import ScanParameters as ScanParameters
