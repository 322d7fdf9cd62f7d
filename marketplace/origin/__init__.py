"""For providers who keep their files: what stands in front of their own server, and needs joserfc alone."""
