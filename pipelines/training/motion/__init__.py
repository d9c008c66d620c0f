"""The motion model: clips of sixteen frames in which a thing of the scenes' world moves as the words say."""
