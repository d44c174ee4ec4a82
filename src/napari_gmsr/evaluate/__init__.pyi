from .evaluation import Evaluation as Evaluation
from .evaluation import MetricRow as MetricRow
from .evaluation import PaperMetrics as PaperMetrics
from .evaluation import StandardMetrics as StandardMetrics
from .evaluation import mean_evaluation as mean_evaluation
from .maps import error_map as error_map
from .metrics import evaluate as evaluate
from .pairs import common_bands as common_bands
