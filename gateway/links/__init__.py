"""Byte pipes: serial port, TCP, a DTU that dials in, UDP, memory, replay; and the tap over them.

The only room that opens ports of the field, and the only one that imports pyserial.
"""
