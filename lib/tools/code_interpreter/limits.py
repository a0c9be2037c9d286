"""What one session may use."""

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Ceilings of one session. Sizes are bytes, times are seconds."""

    wall_seconds: float = 60.0
    """How long a cell may run before it is interrupted; its variables are kept."""
    cpu_seconds: float = 120.0
    """Processor time of one cell, summed over its processes."""
    memory_bytes: int = 2048 * MIB
    """Memory of all processes together, and address space of each."""
    processes: int = 64
    """Processes and threads together."""
    file_bytes: int = 512 * MIB
    """The largest single file."""
    disk_bytes: int = 2048 * MIB
    """Everything under /mnt/data and the temporary directories, input files included."""
    file_count: int = 20_000
    """Files, directories and links, temporary ones included."""
    output_bytes: int = 256 * 1024
    """Text that a cell may print; the rest is dropped with a note."""
    images: int = 20
    """Figures that a cell may show."""
    image_bytes: int = 10 * MIB
    output_files: int = 100
    """New or changed files that a cell may hand over."""
