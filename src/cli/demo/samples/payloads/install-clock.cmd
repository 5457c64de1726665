@echo off
rem Payload of a Tidegate sample update. It changes nothing.
rem The older update that the security update supersedes.
echo Tidegate sample: clock update installed.
exit /b 0
