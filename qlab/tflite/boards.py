"""Well-known boards: how much flash and RAM each has, from its maker's data sheet."""

from __future__ import annotations

from typing import NamedTuple

KB, MB = 2**10, 2**20
FLASH_BYTES, RAM_BYTES = (
    32 * KB,
    16 * KB,
)  # that a file may take in the challenge and in notebook 07
CAVEAT = (
    "A board holds a model here if its flash takes the file and its RAM takes the arena. The "
    "program, the runtime's own code and the stack come on top of that, and the arena must fit "
    "into one piece of the RAM, so a board that is nearly full is too small."
)


class Board(NamedTuple):
    """A board, with the chip that runs the model."""

    name: str
    chip: str
    flash_bytes: int
    ram_bytes: int
    mhz: int
    source: str
    """The maker's document that has these numbers."""

    def holds(self, flash_bytes, arena_bytes):
        return flash_bytes <= self.flash_bytes and arena_bytes <= self.ram_bytes


BOARDS = (  # by RAM
    Board("Arduino Uno R3", "ATmega328P, 8 bits", 32 * KB, 2 * KB, 16,
          "https://docs.arduino.cc/resources/datasheets/A000066-datasheet.pdf"),
    Board("Nucleo-L031K6", "STM32L031K6, Cortex-M0+", 32 * KB, 8 * KB, 32,
          "https://www.st.com/resource/en/datasheet/stm32l031k6.pdf"),
    Board("Arduino Nano 33 IoT", "SAMD21G18, Cortex-M0+", 256 * KB, 32 * KB, 48,
          "https://docs.arduino.cc/resources/datasheets/ABX00027-datasheet.pdf"),
    Board("B-L475E-IOT01A", "STM32L475VG, Cortex-M4", 1 * MB, 128 * KB, 80,
          "https://www.st.com/resource/en/datasheet/stm32l475vg.pdf"),
    Board("Arduino Nano 33 BLE Sense", "nRF52840, Cortex-M4", 1 * MB, 256 * KB, 64,
          "https://docs.arduino.cc/resources/datasheets/ABX00031-datasheet.pdf"),
    Board("Raspberry Pi Pico", "RP2040, Cortex-M0+", 2 * MB, 264 * KB, 133,
          "https://datasheets.raspberrypi.com/pico/pico-datasheet.pdf"),
    Board("STM32F746G-DISCO", "STM32F746NG, Cortex-M7", 1 * MB, 340 * KB, 216,
          "https://www.st.com/resource/en/datasheet/stm32f746ng.pdf"),
    Board("ESP32-S3-DevKitC-1 (N8)", "ESP32-S3, Xtensa LX7", 8 * MB, 512 * KB, 240,
          "https://www.espressif.com/sites/default/files/documentation/"
          "esp32-s3-wroom-1_wroom-1u_datasheet_en.pdf"),
    Board("ESP32-DevKitC (WROOM-32E, N4)", "ESP32, Xtensa LX6", 4 * MB, 520 * KB, 240,
          "https://www.espressif.com/sites/default/files/documentation/"
          "esp32-wroom-32e_esp32-wroom-32ue_datasheet_en.pdf"),
)  # fmt: skip


def holding(flash_bytes, arena_bytes):
    """Return the boards that hold a model, those of least RAM first.

    >>> from qlab.tflite.boards import holding
    >>> holding(9_256, 4_608)[0].name
    'Nucleo-L031K6'
    """
    return tuple(board for board in BOARDS if board.holds(flash_bytes, arena_bytes))
