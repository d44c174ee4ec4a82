from .card import ModelCard as ModelCard
from .card import TrainingData as TrainingData
from .checkpoint import read_card as read_card
from .checkpoint import save_checkpoint as save_checkpoint
from .models import Model as Model
from .models import list_models as list_models
from .models import load_model as load_model
