"""A napari window with the Train widget, as a person handles it.

As a script with a folder: open one, start a training from that folder, see a step of it, close the
window, and write the run's path.
"""

import sys
import time

import napari
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QPushButton

HEAVY = {"torch", "lightning_fabric", "tensorboard"}


class Window:
    """The Train widget in a napari window."""

    def __init__(self, viewer):
        self.viewer = viewer
        viewer.window.resize(1400, 900)
        self.open()

    def open(self):
        window = self.viewer.window
        self.dock, self.widget = window.add_plugin_dock_widget("napari-gmsr", "Train")
        self.wait(self.widget.isVisible)
        self.page = self.widget.runs

    def close_dock(self):
        self.click(self.dock.findChild(QPushButton, "QTitleBarCloseButton"))
        self.wait(lambda: "Train (napari-gmsr)" not in self.viewer.window.dock_widgets)

    def click(self, button):
        assert button.isEnabled(), button.toolTip()
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    def wait(self, condition, seconds=120):
        """Let the window live until something has come true, or for so long at most."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, self.said()
            QTest.qWait(20)

    def said(self):
        """Return what the widget says, for the report of a wait in vain."""
        setup = self.widget.setup
        texts = (setup.data.verdict, setup.preflight, self.page.status, self.page.notes)
        return [text.text() for text in texts]

    def choose(self, combo, value):
        combo.setCurrentIndex(combo.findData(value))

    def set_up(self, folder):
        """Choose the folder, and a small run that does not end by itself."""
        data, form = self.widget.setup.data, self.widget.setup.settings
        self.choose(data.dataset, "pairs")
        QTest.keyClicks(data.folder, str(folder))
        self.wait(lambda: "Scenes: 3 for training" in data.verdict.text())
        fields = {each.path: each for each in (*form.few, *form.rest)}
        for path, value in {"patch": 8, "batch": 1, "validate_every": 0.001}.items():
            fields[path].set(value)
        self.choose(form.unit, "steps")
        form.budget.setValue(9000)
        self.choose(form.device, "cpu")

    def start(self):
        self.click(self.widget.setup.start)
        self.wait(lambda: self.page.table.current is not None)
        return self.page.table.current

    def steps(self):
        """How many steps the selected run has told of."""
        run = self.page.table.current
        history = None if run is None else self.widget.controller.history(run)
        return 0 if history is None or history.step is None else history.step.step

    def wait_for_steps(self):
        """Wait until the selected run has gone on."""
        before = self.steps()
        self.wait(lambda: self.steps() > before or "Failed" in self.page.status.text())
        assert self.steps() > before, self.said()


def main(folder):
    window = Window(napari.Viewer())
    window.set_up(folder)
    run = window.start()
    window.wait_for_steps()
    window.viewer.close()
    loaded = HEAVY & set(sys.modules)
    assert not loaded, loaded
    sys.stdout.write(f"{run}\n")


if __name__ == "__main__":
    main(sys.argv[1])
