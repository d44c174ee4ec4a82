from .calibration import Calibration as Calibration
from .calibration import calibrate as calibrate
from .correction import exact_correction as exact_correction
from .reprojection import Reprojection as Reprojection
from .reprojection import reproject as reproject
from .uncertainty import uncertainty as uncertainty
