package realnode
