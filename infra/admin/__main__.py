"""`python -m infra.admin`."""

import sys

from infra.admin.main import main

sys.exit(main())
