"""Everything that knows napari and Qt: readers, writers, samples, widgets, plots."""
