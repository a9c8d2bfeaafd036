module scs-ci.invalid/tools/pause

go 1.26.0
