"""The Alink family: Alibaba Cloud IoT and the platforms that speak like it.

Facts: domain.md §2.2, §2.3. Which one is the option `profile`; what they differ in is a table for
each in `profiles/`.
"""

from __future__ import annotations

from gateway.dialects.alink.dialect import DIALECT

__all__ = ["DIALECT"]
