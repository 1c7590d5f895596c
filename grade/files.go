package grade

// JudgeFiles judges what a look at files found.
func JudgeFiles(files []FileFact) []Finding { return nil }
