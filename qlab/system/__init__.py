"""The machine and its surroundings: what every room may use and none should write again.

Files written whole and read with care, the processor and the versions of the packages, quiet C++
libraries, and what a lower room is given by a higher one.
"""
