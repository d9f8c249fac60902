"""What keeps a service from running here, or may: `cellar doctor`. It looks, and changes nothing;
into a bucket it writes a small file that goes again.

finding       ok, warning or failure, with the remedy
machine       port, data root, disk
programs      torch and its devices, the embedded servers
servers       database and broker: reach, versions, migrations, keys, clock, locks
files         whether the store can be reached, written and read
leftovers     who owns the data root, what was left behind
examination   all of them at once, each within its time
"""

from app.doctor.examination import CHECKS, Check, examine, refused
from app.doctor.finding import Finding, Level

__all__ = ["CHECKS", "Check", "Finding", "Level", "examine", "refused"]
