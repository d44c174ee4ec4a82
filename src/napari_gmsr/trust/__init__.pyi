from .calibration import Calibration as Calibration
from .calibration import calibrate as calibrate
from .correction import exact_correction as exact_correction
from .picture_check import Finding as Finding
from .picture_check import check_picture as check_picture
from .reprojection import Reprojection as Reprojection
from .reprojection import reproject as reproject
from .uncertainty import uncertainty as uncertainty
