"""The command lines of ``qlab grade`` and ``qlab board``; imports nothing heavy."""


def add_to(add):
    """Add both subcommands."""
    grade = add("grade", _grade, "measure a .tflite file for the challenge, trusting nothing in it")
    grade.epilog = "Exit code: 0 if the file is in a league, 1 if not; the reason is printed."
    grade.add_argument("file", metavar="FILE")
    grade.add_argument("--json", action="store_true", help="print JSON instead of words")
    board = add("board", _board, "rank a class's submissions in a folder, or add one")
    board.epilog = (
        "Files put into FOLDER by hand count too, under their own names. Exit code of a "
        "submission: 0 if it was taken, 1 if not."
    )
    board.add_argument("folder", metavar="FOLDER", help="must be there; every member writes to it")
    board.add_argument("--submit", metavar="FILE", help="grade FILE and, if it qualifies, add it")
    board.add_argument("--name", help="who submits")
    board.add_argument(
        "--regrade", action="store_true", help="measure every file anew, and believe no note"
    )
    board.add_argument("--json", action="store_true", help="print JSON instead of tables")


def _grade(arguments):
    from qlab.challenge import command

    return command.grade_main(arguments.file, as_json=arguments.json)


def _board(arguments):
    from qlab.challenge import command

    return command.board_main(
        arguments.folder,
        arguments.submit,
        arguments.name,
        regrade=arguments.regrade,
        as_json=arguments.json,
    )
