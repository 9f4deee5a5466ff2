"""One stage a file, each a plain function: settings and finished results in, one folder out."""
