"""What a lower room asks of a higher one, by name: the whole list, so that imports go one way."""

import pkgutil

PROVIDERS = {
    "converter": "qlab.train:convert",  # LiteModel.from_keras: only TensorFlow can convert
    "course": "qlab.course",  # importing it registers the questions, when one is first asked for
    "question": "qlab.widgets.prediction:Prediction",  # predict() shows its question with buttons
    "quiz": "qlab.widgets.quiz:Quiz",  # so does quiz()
}


def provided(name):
    """Import what is offered under this name, and return it."""
    return pkgutil.resolve_name(PROVIDERS[name])
