"""darter: from a folder of pictures to an accurate, small, fast CNN, on the computer you have."""
