"""The command `napari-gmsr` as a module: ``python -m napari_gmsr``, ``torchrun -m napari_gmsr``."""

from napari_gmsr.cli.app import main

if __name__ == "__main__":
    main()
