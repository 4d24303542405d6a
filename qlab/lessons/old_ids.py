"""Ids of earlier versions, and what they are called now; in 0.1.0 they began with a number."""

TOPICS = {
    "00": "welcome",
    "01": "baseline",
    "02": "ptq",
    "03": "qat",
    "04": "pruning",
    "05": "distillation",
    "06": "combine",
    "07": "claims",
}
RENAMED = {  # where the name has changed as well, or the topic
    "02.channel_scales": "rounding.channel_scales",
    "02.more_images": "rounding.more_images",
    "02.one_class": "rounding.one_class",
    "02.blank": "rounding.blank",
    "02.layer": "rounding.layer",
    "02.mixed_recipe": "rounding.mixed_recipe",
    "02.quiz.observer": "rounding.quiz.observer",
    "02.quiz.sensitive": "rounding.quiz.sensitive",
    "03.before": "qat.before_training",
    "03.eight": "qat.eight_bits",
    "03.quiz.eight": "qat.quiz.eight_bits",
    "04.sixteen": "pruning.sixteen_values",
    "05.few": "distillation.few_labels",
    "05.more": "distillation.more_labels",
}
MOVED = {  # what notebook 05 asked until notebook 05b asked it
    f"pruning.{name}": f"clustering.{name}"
    for name in (
        *("kmeans_step", "entropy_bits", "sparse_recipe"),
        *("sixteen_values", "layer", "quiz.values"),
    )
}


def current(id):
    """Today's id of a question, an exercise, a quiz or a notebook; any other comes back as it is.

    Examples
    --------
    >>> current("02.flips"), current("02.layer"), current("02"), current("pruning.layer")
    ('ptq.flips', 'rounding.layer', 'ptq', 'clustering.layer')
    """
    number, dot, name = id.partition(".")
    renamed = RENAMED.get(id, TOPICS.get(number, number) + dot + name)
    return MOVED.get(renamed, renamed)
