"""Other libraries; each module needs its own, and is imported only when it is asked for."""
