//! Devices: who is let in, what they report, whether they are connected.
