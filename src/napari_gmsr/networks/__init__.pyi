from .captured_step import CapturedStep as CapturedStep
from .gmsr import GMSRNet as GMSRNet
from .mstpp import MSTPlusPlus as MSTPlusPlus
from .registry import create as create
from .registry import list_networks as list_networks
from .rootpoly import RootPolynomialRegression as RootPolynomialRegression
