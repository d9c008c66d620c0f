"""`python -m api`: serve the API."""

from api.patching import patch

patch()

import sys  # noqa: E402

from api.server import main  # noqa: E402

sys.exit(main())
