// Empty: include/on_host.h has what is needed.
