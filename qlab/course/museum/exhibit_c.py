"""Exhibit C: quantization-aware training that refuses the model, for Keras 3 came first."""

from qlab.course.museum.repair import AS_FOUND
from qlab.course.museum.scripts import run_script
from qlab.lessons.exercises import EXERCISES, Exercise, Finding

SCRIPT = """
import keras
import tensorflow_model_optimization as tfmot

model = keras.Sequential([keras.layers.Input((28, 28, 1)), keras.layers.Flatten(),
                          keras.layers.Dense(10)])
aware = tfmot.quantization.keras.quantize_model(model)
print(len(aware.layers), "layers, ready for quantization-aware training")
"""

PROBE = """
if not any("Quantize" in type(layer).__name__ for layer in aware.layers):
    raise SystemExit("no layer of `aware` is quantization-aware")
print("reached the end")
"""

KERAS_3 = "`import keras` is always Keras 3, whatever is set. Write `import tf_keras as keras`."
TOUCHED = (
    "`tf.keras` becomes Keras 3 when it is first touched, unless TF_USE_LEGACY_KERAS is set by "
    "then. Set it before all imports, or use tf_keras."
)


def repaired_script():
    """Give the script with Keras 2, which lives on as tf_keras; nothing else has changed."""
    return SCRIPT.replace("import keras\n", "import tf_keras as keras\n")


def _judge(answer):
    if not isinstance(answer, str):
        return Finding(f"This check needs the script as text, and got {type(answer).__name__}.")
    if answer.split() == SCRIPT.split():
        return Finding(attempted=False, note=AS_FOUND)
    ran = run_script(answer + PROBE)
    if ran.output.endswith("reached the end") and not ran.error:
        return Finding(note=ran.output.removesuffix("reached the end").strip())
    if not ran.error:
        return Finding("The script ends before its last line.")
    if "'aware' is not defined" in ran.error:
        return Finding("The script does not make `aware`.", "Keep the name: aware = ...")
    return Finding(f"The script ends with {ran.error}", _mistake(answer, ran.error))


def _mistake(source, error):
    if "can only either be a keras Sequential" not in error:
        return ""
    lines = [line.strip() for line in source.splitlines()]
    if any(line.startswith(("import keras", "from keras")) for line in lines):
        return KERAS_3
    return TOUCHED if "tf.keras" in source or "tensorflow.keras" in source else ""


EXERCISES.add(
    Exercise(
        "museum.c",
        _judge,
        repaired_script,
        (
            "The message says that the model is of the wrong kind, and it is Sequential. "
            "Sequential of what? Print keras.__version__.",
            "The toolkit knows Keras 2 only. `import keras` gives Keras 3.",
            "Keras 2 lives on as a package of its own: import tf_keras as keras.",
        ),
    )
)
