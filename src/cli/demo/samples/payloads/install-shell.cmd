@echo off
rem Payload of a Tidegate sample update. It changes nothing.
rem Part 2 of 2: shell.
echo Tidegate sample: shell part installed.
exit /b 0
