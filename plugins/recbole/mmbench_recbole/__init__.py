"""RecBole's own model classes as mmbench models, trained by our loop on the harness's split."""
