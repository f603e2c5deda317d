"""Files that people attach: read, masked, cut into entries, and searched for what is telling. Each finding cites its file and lines."""
