"""What holds for every test: hypothesis sets no deadline, since a busy machine is not a defect."""

from hypothesis import settings

settings.register_profile("tailorlm", deadline=None, print_blob=True)
settings.load_profile("tailorlm")
