//! Files of lxcfs that cover those of /proc.
