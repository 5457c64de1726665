@echo off
rem Payload of a Tidegate sample update. It changes nothing.
rem Part 1 of 2: core.
echo Tidegate sample: core part installed.
exit /b 0
