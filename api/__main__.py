"""`python -m api`: serve the API."""

import sys

from api.server import main

sys.exit(main())
