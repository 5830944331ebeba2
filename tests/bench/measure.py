"""Time and memory of this process, measured the way svd-gen bench does (src/cli/process.cpp)."""
import os
import time


def seconds_since_process_start():
    with open("/proc/self/stat") as file:
        # The second field is the program's name in parentheses, which may hold anything.
        ticks = int(file.read().rsplit(")", 1)[1].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def high_water_mark():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:"))


class PeakMemory:
    """Peaks of resident memory, in bytes, from lap to lap; None where the kernel does not restart its mark."""

    def __init__(self):
        self.highest, self.can_restart = high_water_mark(), self._restart()

    @staticmethod
    def _restart():
        try:
            with open("/proc/self/clear_refs", "w") as file:
                file.write("5")
        except OSError:
            return False
        return True

    def lap(self):
        peak = high_water_mark()
        self.highest = max(self.highest, peak)
        return peak if self.can_restart and self._restart() else None

    def whole(self):
        self.highest = max(self.highest, high_water_mark())
        return self.highest


class Stages:
    """Seconds and peaks of named spans, one after another."""

    def __init__(self):
        self.memory, self.seconds, self.peaks = PeakMemory(), {}, {}
        self.name, self.begin = None, 0.0

    def enter(self, name):
        """Ends the present span, if there is one, and begins `name`; None begins nothing."""
        now, peak = time.perf_counter(), self.memory.lap()
        if self.name:
            self.seconds[self.name] = now - self.begin
            self.peaks[self.name] = peak
        self.name, self.begin = name, time.perf_counter()
