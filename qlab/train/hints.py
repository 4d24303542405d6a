"""Hints: the student also learns to give what a layer inside the teacher gives (FitNets)."""

from qlab.train.door import keras, tf


class Hint(keras.layers.Layer):
    """Compares a layer of the student with one of the teacher."""

    def __init__(self, student, teacher, names, weight=1.0):
        super().__init__(name="hint")
        if teacher is None:
            raise ValueError(
                "a hint needs the teacher itself, not only its logits: give distil the model, "
                "such as train.load('teacher')"
            )
        if not weight > 0:
            raise ValueError(f"hint_weight must be above 0; got {weight!r}")
        given = _output(student, names[0], "student")
        wanted = _output(teacher, names[1], "teacher")
        if given.shape[1:-1] != wanted.shape[1:-1]:
            raise ValueError(
                f"layer {names[0]} of the student gives {tuple(given.shape[1:])} and {names[1]} "
                f"of the teacher {tuple(wanted.shape[1:])}; a hint needs equal height and width"
            )
        self.weight = weight
        self.student = keras.Model(student.inputs, [student.output, given])
        inner = keras.Model(teacher.inputs, wanted)
        self.wanted = lambda images: inner(images, training=False)  # Keras must not find it
        self.regressor = keras.layers.Dense(wanted.shape[-1], name="regressor")
        self.regressor.build(given.shape)

    def loss(self, given, wanted):
        """Mean squared error between what the regressor makes of `given`, and `wanted`."""
        return tf.reduce_mean(tf.square(self.regressor(given) - tf.cast(wanted, tf.float32)))


def _output(model, name, role):
    names = [layer.name for layer in model.layers]
    if name not in names:
        raise ValueError(f"the {role} has no layer {name!r}; it has: {', '.join(names)}")
    return model.get_layer(name).output
