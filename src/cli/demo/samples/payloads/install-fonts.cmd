@echo off
rem Payload of a Tidegate sample update. It changes nothing.
rem An update of its own, without a bundle.
echo Tidegate sample: font update installed.
exit /b 0
