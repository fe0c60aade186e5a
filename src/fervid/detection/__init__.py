"""Where the faces are: detectors that answer alike, and how their boxes map to the network's framing."""
