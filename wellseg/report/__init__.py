"""Pages that a person opens in a browser, from local files, without a server or the network."""
