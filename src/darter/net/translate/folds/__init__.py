"""What each operation makes of constants, by kind; `darter.net.translate.fold` reads the tables."""
