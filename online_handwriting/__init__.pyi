from collections.abc import Sequence
from pathlib import Path
from typing import Literal, overload

from apps.pages.hands import Hand as Hand
from apps.pages.hands import hand_of as hand_of
from apps.pages.page_hands import own_hand as own_hand
from apps.pages.page_options import PageOptions as PageOptions
from apps.pages.page_options import PrimerFile as PrimerFile
from apps.pages.pages import Page as Page
from apps.pages.pages import Pages as Pages
from apps.pages.pages import write_page as write_page
from apps.pages.pages import write_pages as write_pages
from apps.pages.paper import Paper as Paper
from apps.pages.rewriting import rewrite as rewrite
from apps.pages.source_text import PageText as PageText
from apps.pages.styles import style_file as style_file
from ink.guard import read as read
from ink.reading import read_ink as read_ink
from ink.sample import Sample as Sample
from model.drawing.plots import lines_figure as lines_figure
from model.generation.line import Line as Line
from model.generation.line import Sampling as Sampling
from model.generation.step_figures import step_figures as step_figures
from model.loading import Reader as Reader
from model.loading import TrainedNetwork as TrainedNetwork
from model.loading import Writer as Writer
from model.loading import load_reader as load_reader
from model.loading import load_writer as load_writer
from model.recognition.decoding import Search as Search
from model.recognition.ink_features import StrokeFeatures as StrokeFeatures

_Modules = Sequence[str | Path]
_Writers = Literal["writer", "open_writer", "conditional", "unconditional", "digits", "digit_0"]
_Readers = Literal["reader", "open_reader", "recognition", "eye"]

@overload
def load(path: _Writers, device: str = "auto", *, modules: _Modules = ()) -> Writer: ...
@overload
def load(path: _Readers, device: str = "auto", *, modules: _Modules = ()) -> Reader: ...
@overload
def load(path: str | Path, device: str = "auto", *, modules: _Modules = ()) -> TrainedNetwork: ...
