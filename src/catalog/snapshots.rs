//! Snapshots, segments, sites and what was packed for them: what sealing, export, intake and switch
//! keep in the catalogue.
