"""The tests' runs go into a database of their own."""

import os
import tempfile

os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{tempfile.mkdtemp()}/mlflow.db"
