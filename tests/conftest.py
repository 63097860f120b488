"""What holds for every test: random examples follow from the test alone, so that two runs try the same ones."""

from hypothesis import settings

settings.register_profile("fixed", derandomize=True, deadline=None, database=None)
settings.load_profile("fixed")
